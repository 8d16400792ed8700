# bash completion for tandem
_tandem() {
    local current previous
    current=${COMP_WORDS[COMP_CWORD]}
    previous=${COMP_WORDS[COMP_CWORD-1]}
    local options="--kernel --initrd --append --dtb --bios --disk --cpus --memory --cpu --accel
        --gic --serial --display --timeout --no-reboot --stats -d --dfilter --help"
    case $previous in
    --cpu) COMPREPLY=($(compgen -W "cortex-a53 cortex-a72 neoverse-n1 max" -- "$current")); return ;;
    --accel) COMPREPLY=($(compgen -W "auto jit interp" -- "$current")); return ;;
    --gic) COMPREPLY=($(compgen -W "2 3" -- "$current")); return ;;
    --serial) COMPREPLY=($(compgen -W "stdio none file: pty tcp:" -- "$current")); return ;;
    --display) COMPREPLY=($(compgen -W "none" -- "$current")); return ;;
    -d) COMPREPLY=($(compgen -W "decode ir opt asm" -- "$current")); return ;;
    --append | --cpus | --memory | --timeout | --dfilter) return ;;
    esac
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W "run --help --version" -- "$current"))
    elif [[ $current == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$current"))
    else
        compopt -o filenames
        COMPREPLY=($(compgen -f -- "$current"))
    fi
}
complete -F _tandem tandem
