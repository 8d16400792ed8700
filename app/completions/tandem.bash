# bash completion for tandem: the program knows what may come next
_tandem() {
    local IFS=$'\n' line rest
    COMPREPLY=()
    while IFS=$'\t' read -r line rest; do
        if [[ $line == :files ]]; then
            compopt -o filenames 2>/dev/null
            COMPREPLY+=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
        else
            COMPREPLY+=("$line")
        fi
    done < <("${COMP_WORDS[0]}" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _tandem tandem
