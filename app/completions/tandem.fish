# fish completion for tandem: the program knows what may come next
function __tandem_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in (command $words[1] complete $words[2..] 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c tandem -f -a '(__tandem_complete)'
