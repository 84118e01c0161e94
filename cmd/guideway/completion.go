package main

import (
	"fmt"
	"regexp"
	"strings"
)

func completionVerb() verb {
	return verb{
		name:  "completion",
		args:  "bash",
		short: "write what makes a shell complete this command's words",
		long: `The Debian package has it in place already. Elsewhere, in ~/.bashrc:

  source <(guideway completion bash)
`,
		run: func(e env, args []string) int {
			if len(args) != 1 || args[0] != "bash" {
				usage(e.err, completionVerb())
				return exitUsage
			}
			fmt.Fprint(e.out, completion())
			return exitOK
		},
	}
}

// flagWord finds the flags in a usage line.
var flagWord = regexp.MustCompile(`(^|[\[ ])(--?[a-z]+)`)

// completion is the script for bash, made of the table of verbs. Where no word
// of ours fits, bash offers files.
func completion() string {
	var names []string
	var cases strings.Builder
	for _, v := range verbs() {
		names = append(names, v.name)
		var words []string
		for _, m := range flagWord.FindAllStringSubmatch(v.args, -1) {
			words = append(words, m[2])
		}
		if v.name == "completion" {
			words = append(words, v.args)
		}
		if len(words) > 0 {
			fmt.Fprintf(&cases, "\t%s) words='%s' ;;\n", v.name, strings.Join(words, " "))
		}
	}
	return fmt.Sprintf(`# bash completion for guideway, by guideway completion bash

_guideway() {
	local verbs='%[1]s' words=
	case ${COMP_WORDS[1]} in
	help) words=$verbs ;;
%[2]s	esac
	((COMP_CWORD > 1)) || words=$verbs
	COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
	# Flags are for who begins one.
	[[ ${COMP_WORDS[COMP_CWORD]} == -* || $words != -* ]] || COMPREPLY=()
}

complete -o default -F _guideway guideway
`, strings.Join(names, " "), cases.String())
}
