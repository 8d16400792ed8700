# bash completion for tandem
_tandem() {
    local current previous
    current=${COMP_WORDS[COMP_CWORD]}
    previous=${COMP_WORDS[COMP_CWORD-1]}
    local options="--kernel --initrd --append --dtb --bios --nvram --disk --cpus --memory --cpu --accel --tier
        --gic --cloud-init --net --serial --console --display --timeout --no-acpi --no-reboot --stats -d --dfilter --help"
    if [[ ${COMP_WORDS[1]} == image ]]; then
        options="--format --from --to --backing --backing-format --cluster-size --qcow2-version --refcount-bits
            --compression --compress --lazy-refcounts --repair --shrink --json --help"
    fi
    case $previous in
    image) COMPREPLY=($(compgen -W "create info convert check resize snapshot" -- "$current")); return ;;
    snapshot) COMPREPLY=($(compgen -W "create apply delete list" -- "$current")); return ;;
    --format | --from | --to | --backing-format) COMPREPLY=($(compgen -W "raw qcow2" -- "$current")); return ;;
    --compression) COMPREPLY=($(compgen -W "zlib zstd" -- "$current")); return ;;
    --repair) COMPREPLY=($(compgen -W "leaks all" -- "$current")); return ;;
    --cpu) COMPREPLY=($(compgen -W "cortex-a53 cortex-a72 neoverse-n1 max max,pauth=qarma5" -- "$current")); return ;;
    --tier) COMPREPLY=($(compgen -W "auto t1 t2" -- "$current")); return ;;
    --accel) COMPREPLY=($(compgen -W "auto jit interp" -- "$current")); return ;;
    --cloud-init) COMPREPLY=($(compgen -W "auto always never" -- "$current")); return ;;
    --gic) COMPREPLY=($(compgen -W "2 3" -- "$current")); return ;;
    --serial | --console) COMPREPLY=($(compgen -W "stdio none file: pty tcp:" -- "$current")); return ;;
    --net) COMPREPLY=($(compgen -W "user none" -- "$current")); return ;;
    --display) COMPREPLY=($(compgen -W "none" -- "$current")); return ;;
    -d) COMPREPLY=($(compgen -W "decode ir opt asm" -- "$current")); return ;;
    --append | --cpus | --memory | --timeout | --dfilter) return ;;
    esac
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W "run explain image --help --version" -- "$current"))
    elif [[ $current == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$current"))
    else
        compopt -o filenames
        COMPREPLY=($(compgen -f -- "$current"))
    fi
}
complete -F _tandem tandem
