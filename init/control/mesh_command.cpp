// `thole mesh` and `thole node`: what the mesh's daemon says, for people and programs.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/text.hpp"
#include "control/client.hpp"
#include "control/commands.hpp"
#include "control/json.hpp"
#include "control/mesh_client.hpp"
#include "control/ping.hpp"
#include "control/table.hpp"
#include "os/file.hpp"
#include "os/host_name.hpp"

namespace thole {

namespace {

constexpr std::int64_t kUsualPings = 3;

/// The member for one of the daemon's NAME=VALUE lines.
void add_info(Json& json, std::string_view info, std::string_view name, bool is_number = false) {
    std::string key(name);
    std::ranges::replace(key, '-', '_');
    const auto value = info_value(info, name);
    if (is_number) {
        json.known_number(key, parse_integer(value, 0, INT64_MAX).value_or(-1));
    } else {
        json.text(key, value);
    }
}

void add_peer(Json& json, const MeshLine& peer) {
    json.begin_object();
    json.text("name", peer.text("name"));
    json.text("public_key", peer.text("key"));
    for (const std::string_view name : {"fingerprint", "ipv4", "ipv6", "endpoint", "state", "roles"}) {
        json.text(name, peer.text(name));
    }
    json.known_number("handshake_s", peer.number("handshake"));
    json.known_number("sent_bytes", peer.number("sent"));
    json.known_number("received_bytes", peer.number("received"));
    json.end_object();
}

std::string_view or_else(std::string_view text, std::string_view other) { return text.empty() ? other : text; }

std::string endpoints_in(std::string_view info) {
    std::string all;
    for (const auto line : split(info, '\n')) {
        if (line.starts_with("endpoint=")) {
            append(all, all.empty() ? "" : ", ", line.substr(9));
        }
    }
    return all;
}

constexpr std::array<std::string_view, 9> kTexts{"cluster", "name",  "fingerprint", "public-key", "ipv4",
                                                 "ipv6",    "range", "ula",         "state"};
constexpr std::array<std::string_view, 5> kNumbers{"port", "mtu", "members", "peers", "up"};

struct MeshState {
    std::string info;
    std::string peers;
    std::string differences;
};

Result<MeshState> ask_state() {
    MeshState state;
    const std::array<std::pair<std::string_view, std::string*>, 3> questions{
        {{"info", &state.info}, {"peers", &state.peers}, {"differences", &state.differences}}};
    for (const auto& [question, place] : questions) {
        auto answer = ask_mesh(question);
        if (!answer) {
            return std::unexpected(answer.error());
        }
        *place = std::move(*answer);
    }
    return state;
}

void print_status_json(const MeshState& state) {
    Json json;
    json.begin_object();
    for (const auto name : kTexts) {
        add_info(json, state.info, name);
    }
    for (const auto name : kNumbers) {
        add_info(json, state.info, name, true);
    }
    json.boolean("behind_nat", info_value(state.info, "nat") == "yes");
    json.begin_array("differences");
    for (const MeshLine& one : mesh_lines(state.differences)) {
        json.begin_object();
        for (const std::string_view name : {"what", "wanted", "actual"}) {
            json.text(name, one.text(name));
        }
        json.end_object();
    }
    json.end_array();
    json.begin_array("peer_list");
    for (const MeshLine& peer : mesh_lines(state.peers)) {
        add_peer(json, peer);
    }
    json.end_array();
    json.end_object();
    print(json.finish());
}

int status_action(const Call& call) {
    const auto state = ask_state();
    if (!state) {
        return complain(state.error());
    }
    if (call.has("--json")) {
        print_status_json(*state);
        return kDone;
    }
    const auto value = [&](std::string_view name) { return info_value(state->info, name); };
    const auto ipv4 = value("ipv4");
    std::string text = concat("node       ", value("name"), " of ", value("cluster"), ", ", value("state"),
                              "\nkey        ", value("public-key"), "\n           ", value("fingerprint"),
                              "\naddresses  ", or_else(ipv4, "no IPv4 address yet"), ", ", value("ipv6"), "\n");
    append(text, "reached at ", endpoints_in(state->info), value("nat") == "yes" ? " (behind NAT)" : "",
           "\npeers      ", value("up"), " of ", value("peers"), " answer; ", value("members"), " nodes are known\n");
    if (state->differences.empty()) {
        text += "kernel     as wanted\n";
    }
    for (const MeshLine& one : mesh_lines(state->differences)) {
        append(text, "kernel     ", one.text("what"), ": wanted ", or_else(one.text("wanted"), "nothing"),
               ", there is ", or_else(one.text("actual"), "nothing"), "\n");
    }
    print(text);
    return kDone;
}

int peers_action(const Call& call) {
    const auto answer = ask_mesh("peers");
    if (!answer) {
        return complain(answer.error());
    }
    const auto peers = mesh_lines(*answer);
    if (call.has("--json")) {
        Json json;
        json.begin_array();
        for (const MeshLine& peer : peers) {
            add_peer(json, peer);
        }
        json.end_array();
        print(json.finish());
        return kDone;
    }
    Table table("NAME STATE IPV4 IPV6 ENDPOINT >HANDSHAKE >SENT >RECEIVED FINGERPRINT");
    for (const MeshLine& peer : peers) {
        const std::int64_t handshake = peer.number("handshake");
        table.add(or_else(peer.text("name"), "-"));
        table.add(peer.text("state"), peer.text("state") == "up" ? "32" : "33");
        table.add(or_else(peer.text("ipv4"), "-"));
        table.add(peer.text("ipv6"));
        table.add(or_else(peer.text("endpoint"), "-"));
        table.add(handshake < 0 ? std::string("never") : span_text(handshake * 1000));
        table.add(bytes_text(peer.number("sent")));
        table.add(bytes_text(peer.number("received")));
        table.add(peer.text("fingerprint"));
    }
    print(table.finish());
    return kDone;
}

/// The peer of that name, fingerprint, key or address among those of an answer; the error names the nearest.
Result<MeshLine> find_peer(std::string_view answer, std::string_view who) {
    std::vector<std::string_view> names;
    for (const MeshLine& peer : mesh_lines(answer)) {
        for (const std::string_view name : {"name", "fingerprint", "key", "ipv4", "ipv6"}) {
            if (who == peer.text(name)) {
                return peer;
            }
        }
        names.push_back(peer.text("name"));
    }
    const auto nearest = nearest_name(who, names);
    return failure(concat(
        "there is no peer ", who, " in the mesh",
        nearest.empty() ? std::string("; `thole mesh peers` lists them") : concat("; did you mean ", nearest, "?")));
}

std::string ping_line(std::string_view name, const PingResult& result) {
    std::string line =
        concat(name, "  ", address_text(result.to), "  ", result.received, " of ", result.sent, " answered");
    if (result.received > 0) {
        append(line, ", ", result.best_microseconds / 1000, ".", (result.best_microseconds / 100) % 10, " to ",
               result.worst_microseconds / 1000, ".", (result.worst_microseconds / 100) % 10, " ms");
    }
    return line += '\n';
}

/// Every address of the node is asked: kDone where all answer.
int ping_action(const Call& call) {
    const auto peers = ask_mesh("peers");
    if (!peers) {
        return complain(peers.error());
    }
    const auto peer = find_peer(*peers, call.names[1]);
    if (!peer) {
        return complain(peer.error());
    }
    const auto count = call.has("-n") ? parse_integer(call.value("-n"), 1, 1000) : kUsualPings;
    if (!count) {
        return complain_usage(concat("thole: -n: ", count.error().message, "\n"));
    }
    Json json;
    json.begin_array();
    bool all = true;
    for (const std::string_view text : {peer->text("ipv4"), peer->text("ipv6")}) {
        const auto address = parse_address(text);
        if (!address) {
            continue;
        }
        const auto result = ping(*address, static_cast<unsigned>(*count));
        if (!result) {
            return complain(result.error());
        }
        all = all && result->received > 0;
        json.begin_object();
        json.text("name", peer->text("name"));
        json.text("address", text);
        json.number("sent", result->sent);
        json.number("received", result->received);
        json.known_number("best_us", result->received > 0 ? result->best_microseconds : -1);
        json.known_number("worst_us", result->received > 0 ? result->worst_microseconds : -1);
        json.end_object();
        if (!call.has("--json")) {
            print(ping_line(peer->text("name"), *result));
        }
    }
    json.end_array();
    if (call.has("--json")) {
        print(json.finish());
    }
    return all ? kDone : kFailed;
}

int change_action(const Call& call) {
    const bool named = call.names.size() > 1;
    const auto done = ask_mesh(named ? concat(call.names[0], " ", call.names[1]) : std::string(call.names[0]));
    if (!done) {
        return complain(done.error());
    }
    print(*done);
    return kDone;
}

struct Action {
    std::string_view name;
    std::size_t names;  // behind it
    int (*run)(const Call& call);
};

constexpr std::array kActions{
    Action{"status", 0, status_action}, Action{"peers", 0, peers_action},  Action{"ping", 1, ping_action},
    Action{"forget", 1, change_action}, Action{"leave", 0, change_action}, Action{"rotate-secret", 0, change_action},
};

}  // namespace

int mesh_command(const Call& call) {
    const auto verb = call.names.empty() ? std::string_view("status") : call.names[0];
    std::vector<std::string_view> names;
    for (const Action& action : kActions) {
        const std::size_t given = call.names.empty() ? 0 : call.names.size() - 1;
        if (action.name == verb && action.names == given) {
            return action.run(call);
        }
        if (action.name == verb) {
            return complain_usage(
                concat("thole: mesh ", verb, " takes ", action.names == 1 ? "the name of one node" : "no name", "\n"));
        }
        names.push_back(action.name);
    }
    const auto nearest = nearest_name(verb, names);
    return complain_usage(concat(
        "thole: there is no 'mesh ", verb, "'",
        nearest.empty() ? "; `thole mesh --help` has the list" : concat("; did you mean '", nearest, "'?"), "\n"));
}

int node_command(const Call& call) {
    constexpr std::array<std::string_view, 4> kNames{"fingerprint", "public-key", "ipv4", "ipv6"};
    const auto mesh = ask_mesh("info");
    const std::string info = mesh.value_or(std::string());
    const std::string name = host_name();
    const std::string machine_id(trim(read_file("/etc/machine-id").value_or(std::string())));
    const std::string address(node_address());
    if (call.has("--json")) {
        Json json;
        json.begin_object();
        json.text("name", name);
        json.text("machine_id", machine_id);
        json.text("address", address);
        json.text("cluster", info_value(info, "cluster"));
        for (const auto key : kNames) {
            add_info(json, info, key);
        }
        json.end_object();
        print(json.finish());
        return kDone;
    }
    std::string text = concat("name         ", name, "\nmachine-id   ", machine_id, "\naddress      ", address, "\n");
    if (mesh) {
        append(text, "cluster      ", info_value(info, "cluster"), "\npublic key   ", info_value(info, "public-key"),
               "\nfingerprint  ", info_value(info, "fingerprint"), "\nmesh         ", info_value(info, "ipv4"), " ",
               info_value(info, "ipv6"), "\n");
    } else {
        append(text, "mesh         ", mesh.error().message, "\n");
    }
    print(text);
    return kDone;
}

}  // namespace thole
