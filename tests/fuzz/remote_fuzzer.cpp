// What a stranger may send to `init remote`, and what a node may send to a client: hellos, frames, requests, clients'
// files. The first byte says which.
#include <algorithm>
#include <string>

#include "allowed.hpp"
#include "frames.hpp"
#include "grant.hpp"
#include "handshake.hpp"
#include "input.hpp"
#include "wires.hpp"

using namespace thole;
using namespace thole::remote;

namespace {

mesh::Block block() {
    mesh::Block bytes{};
    bytes.fill(1);
    return bytes;
}

void try_hello(std::span<const std::uint8_t> input) {
    HelloBytes hello{};
    std::copy_n(input.begin(), std::min(input.size(), hello.size()), hello.begin());
    const auto grant = read_hello(hello);
    if (!grant) {
        return;
    }
    expect(!grant->name.empty() && grant->name.size() <= kLongestName && grant->role != Role::none);
    const mesh::Secret key = grant_key(mesh::ClusterSecret(block()), *grant);
    expect(!proves_grant(hello, key));
    (void)answer_hello(hello, key, block());
}

void try_frame(std::span<const std::uint8_t> input) {
    const auto size = Opener::size_of(input);
    expect(!size || *size <= input.size());
    if (size && *size > 0) {
        expect(!Opener(mesh::Secret(block())).open(input.first(*size)));
    }
}

void try_request(std::string_view input) {
    const auto request = decode_request(input);
    if (!request) {
        return;
    }
    expect(encode_request(*request).value_or("") == input);
    if (check_allowed(Role::read_only, request->words)) {
        expect(check_allowed(Role::admin, request->words).has_value());
    }
    expect(!check_allowed(Role::none, request->words));
}

void try_client_file(std::string_view input) {
    const auto identity = parse_client_file("f", input);
    if (identity) {
        const auto again = parse_client_file("f", client_file(*identity, "c"));
        expect(again && again->grant == identity->grant);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::span<const std::uint8_t> rest(data + 1, size - 1);
    switch (data[0] % 5) {
        case 0: try_hello(rest); break;
        case 1: try_frame(rest); break;
        case 2: try_request(text_of(rest.data(), rest.size())); break;
        case 3: try_client_file(text_of(rest.data(), rest.size())); break;
        default: (void)find_node(text_of(rest.data(), rest.size()), "n1", {{AF_INET6, {0xFD}}, 8}); break;
    }
    return 0;
}
