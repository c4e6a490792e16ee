# bash completion for ./thole: source this file, or `source <(./thole completion bash)`.
#
# Commands and options are asked from the driver itself, so this file does not change with them.

_thole_words() {
    # The words of a help text that look like long options.
    "$1" "$2" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]*' | sort -u
}

_thole() {
    local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$("$program" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p') --help" -- "$word")
        return
    fi
    case $before in
        --node-config | --data)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
            ;;
        --arch)
            mapfile -t COMPREPLY < <(compgen -W "x86_64 aarch64" -- "$word")
            return
            ;;
        --profile)
            local folder
            folder=$(dirname "$program")/rootfs/profiles
            mapfile -t COMPREPLY < <(compgen -W "$(cd "$folder" 2>/dev/null && printf '%s\n' *.ini | sed 's/\.ini$//')" -- "$word")
            return
            ;;
    esac
    case $command in
        kubectl) ;;
        completion) mapfile -t COMPREPLY < <(compgen -W "bash" -- "$word") ;;
        cluster)
            # Its commands stand indented by four columns in the help text.
            mapfile -t COMPREPLY < <(compgen -W "$("$program" cluster --help | sed -n 's/^    \([a-z]*\)  .*/\1/p') $(_thole_words "$program" cluster)" -- "$word")
            ;;
        bench) mapfile -t COMPREPLY < <(compgen -W "boot $(_thole_words "$program" bench)" -- "$word") ;;
        test)
            if [[ $word == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$(_thole_words "$program" test)" -- "$word")
            else
                # Asking for the names takes a second, so once a shell.
                [ -n "${_thole_tests-}" ] || _thole_tests=$("$program" test --list 2>/dev/null | sed 's/ .*//')
                mapfile -t COMPREPLY < <(compgen -W "$_thole_tests" -- "$word")
            fi
            ;;
        *) mapfile -t COMPREPLY < <(compgen -W "$(_thole_words "$program" "$command")" -- "$word") ;;
    esac
}

complete -o bashdefault -o default -F _thole thole ./thole
