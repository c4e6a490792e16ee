#include "control/commands.hpp"

#include "base/text.hpp"

namespace thole {

namespace {

constexpr std::string_view kPowerUsage = "[-f|--force]";

constexpr Command kCommands[] = {
    {"status", "[--json] [NAME...]", "what runs, since when, and why not", status_command},
    {"show", "[--json] NAME", "a unit's definition, state and use of the machine", show_command},
    {"start", "[--json] [--no-wait] NAME...", "start, and wait until it is ready or has failed", unit_command},
    {"stop", "[--json] [--no-wait] NAME...", "stop, after those that require it", unit_command},
    {"restart", "[--json] [--no-wait] NAME...", "stop and start", unit_command},
    {"reload", "[--json] [NAME...]", "have services read their configuration again; without a name, PID 1 the units",
     reload_command},
    {"enable", "[--json] [--now] NAME...", "start at every boot, and with --now at once", enable_command},
    {"disable", "[--json] [--now] NAME...", "start at no boot, and with --now stop", enable_command},
    {"logs", "[--json] [-f] [-n LINES] [--since TIME] [--boot] NAME...",
     "the log of a service; thole and kernel are logs too",
     [](const Call& call) { return logs_command(call.arguments); }, true},
    {"events", "[--json] [-f|--follow] [-n COUNT]", "changes of state as they happen", events_command},
    {"top", "[--json] [-n COUNT]", "CPU, memory, disk and processes of each service", top_command},
    {"health", "[--json]", "whether the node is well, and what is not: exit status 0 or 1", health_command},
    {"blame", "[--json]", "what took how long in this boot, and the chain that decided it", blame_command},
    {"plot", "", "the boot as a chart, in SVG", plot_command},
    {"node", "[--json]", "who this node is: name, machine-id, key, addresses", node_command},
    {"mesh", "[--json] [-n COUNT] [ACTION] [NODE]",
     "status: this node and what the kernel has otherwise; peers; ping NODE; forget NODE: all drop it for good; leave; "
     "rotate-secret",
     mesh_command},
    {"kubernetes", "COMMAND [OPTION...]",
     "drain: pods move, and no new ones come; join: the contrary, or back after leave; leave the cluster; kubeconfig "
     "[--read-only]: print one; health: the cluster as a table; snapshot, restore: the data store of servers with "
     "etcd; "
     "in-job COMMAND: a cluster in a SLURM job",
     kubernetes_command, true},
    {"install", "[--disk DISK] [--config FILE] [--erase] [--reboot] [--unattended]",
     "on a node that was started from a live image: write that to a disk, with FILE or this node's own settings as its "
     "node.ini",
     install_command},
    {"upgrade", "[--unsigned] [--downgrade] [--no-drain] [--no-reboot] FILE",
     "write another version, from a file or an http URL, to the other slot, and reboot into it when SLURM's jobs have "
     "ended; it goes back by itself where that is not healthy",
     upgrade_command},
    {"rollback", "[--no-drain] [--no-reboot]", "give this version up, and reboot into the one in the other slot",
     rollback_command},
    {"boot-good", "", "wait until this boot is good, and note it; the unit of that name does it", boot_good_command},
    {"doctor", "[--json] [TOPIC]",
     "checks of the node, with the remedy of what is wrong; with `k3s` what k3s wants of kernel and host",
     doctor_command},
    {"lint", "[--json] [DIRECTORY...]", "check unit files; without a directory the node's own", lint_command},
    {"config", "[--json] ACTION [FILE]",
     "show: the configuration in force; check FILE: a node.ini; ula FILE: the IPv6 range of its secret; reference: all "
     "keys",
     config_command},
    {"firewall", "[--actual] ACTION",
     "show: the packet filter that node.ini wants, with --actual the one in force; apply: put it in force; check: "
     "whether it is",
     firewall_command},
    {"reference", "[units|commands]", "all keys of unit files, or these commands, in Markdown", reference_command},
    {"completion", "[bash]", "the completion script for a shell", completion_command},
    {"version", "[--json]", "of this program and of PID 1", version_command},
    {"poweroff", kPowerUsage, "stop everything in order, then power off; --force at once, without PID 1",
     power_command},
    {"reboot", kPowerUsage, "the same, then start again", power_command},
    {"halt", kPowerUsage, "the same, then stand still", power_command},
};

constexpr std::string_view kExitStatuses =
    "\nExit status: 0 done; 1 failed; 2 called wrongly; 3 (status) a unit named does not run, or, without names, one "
    "has "
    "failed; 4 no such unit.\n";

const Command* find_command(std::string_view verb) {
    for (const Command& command : kCommands) {
        if (command.name == verb) {
            return &command;
        }
    }
    return nullptr;
}

int unknown_command(std::string_view verb) {
    std::vector<std::string_view> names;
    for (const Command& command : kCommands) {
        names.push_back(command.name);
    }
    const auto nearest = nearest_name(verb, names);
    return complain_usage(concat("thole: there is no command '", verb, "'",
                                 nearest.empty() ? std::string() : concat("; did you mean '", nearest, "'?"),
                                 "\n`thole help` lists them\n"));
}

std::string all_options(const Command& command) {
    std::string out;
    for (const OptionWords& option : options_of(command.usage)) {
        for (const std::string_view spelling : option.spellings) {
            append(out, out.empty() ? "" : " ", spelling);
        }
    }
    return out;
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

int run_command(std::string_view verb, Arguments arguments) {
    const Command* const command = find_command(verb);
    if (command == nullptr) {
        return unknown_command(verb);
    }
    const std::string usage = concat("usage: thole ", verb, command->usage.empty() ? "" : " ", command->usage, "\n");
    for (const std::string_view word : arguments) {
        if (word == "--help" || word == "-h") {
            print(concat(usage, command->meaning, "\n"));
            return kDone;
        }
    }
    if (command->own_arguments) {
        return command->run({verb, arguments, {}, {}});
    }
    const auto call = read_call(verb, command->usage, arguments);
    return call ? command->run(*call) : complain_usage(concat("thole: ", call.error().message, "\n", usage));
}

std::string help_text() {
    std::string text = "usage: thole COMMAND\n       thole -n NODE COMMAND    the same on another node of the mesh\n";
    for (const Command& command : kCommands) {
        const std::string call = concat("  ", command.name, " ", command.usage);
        text += call;
        text += call.size() > 40 ? "\n" + std::string(42, ' ') : std::string(42 - call.size(), ' ');
        append(text, command.meaning, "\n");
    }
    return text += kExitStatuses;
}

std::string commands_reference() {
    std::string page =
        "# Commands\n\nMade from the table that drives them.\n\n| command | what it does |\n| --- | --- |\n";
    for (const Command& command : kCommands) {
        append(page, "| `thole ", command.name, command.usage.empty() ? "" : " ");
        for (const char letter : command.usage) {
            append(page, letter == '|' ? "\\" : "", letter);  // or it would end the cell
        }
        append(page, "` | ", command.meaning, " |\n");
    }
    return page += kExitStatuses;
}

std::string completion_script() {
    std::string verbs;
    std::string options;
    for (const Command& command : kCommands) {
        append(verbs, verbs.empty() ? "" : " ", command.name);
        append(options, "        ", command.name, ") words='", all_options(command), "' ;;\n");
    }
    // Names come from PID 1 at the time of asking, so that the script never grows old.
    return concat(
        "# bash completion for thole on a node: source <(thole completion bash)\n"
        "_thole() {\n"
        "    local words word=${COMP_WORDS[COMP_CWORD]}\n"
        "    case ${COMP_WORDS[1]} in\n",
        options,
        "    esac\n"
        "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
        "        words='help ",
        verbs,
        "'\n"
        "    elif [[ $word != -* ]]; then\n"
        "        case ${COMP_WORDS[1]} in\n"
        "            status|show|start|stop|restart|reload|enable|disable|logs)\n"
        "                words=$(thole status --json 2>/dev/null | sed -n 's/^  {\"name\": \"\\([^\"]*\\)\".*/\\1/p') "
        ";;\n"
        "            config) words='show check ula reference' ;;\n"
        "            firewall) words='show apply check' ;;\n"
        "            mesh) words='status peers ping forget leave rotate-secret' ;;\n"
        "            reference) words='units commands' ;;\n"
        "            completion) words='bash' ;;\n"
        "        esac\n"
        "    fi\n"
        "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
        "}\n"
        "complete -o bashdefault -o default -F _thole thole\n");
}

}  // namespace thole
