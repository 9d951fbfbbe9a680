/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvectl completion: scripts that hand the words of the line to 'nvectl __complete', so that what
 * is offered is what the parser's own tables say (complete.c).
 */
#include "nvectl/ctl.h"

#include <string.h>

/*
 * The words are cut at blanks here, not by readline, which also cuts at ':' and '=' and then wants
 * only what follows the last of these.
 */
static const char bash_script[] =
	"# bash completion of nvectl; load it with: eval \"$(nvectl completion bash)\"\n"
	"_nvectl()\n"
	"{\n"
	"	local line=${COMP_LINE:0:COMP_POINT} words breaks='' cut='' i\n"
	"	read -ra words <<<\"$line\"\n"
	"	[[ $line == *[[:space:]] ]] && words+=('')\n"
	"	[[ $COMP_WORDBREAKS == *:* ]] && breaks+=:\n"
	"	[[ $COMP_WORDBREAKS == *=* ]] && breaks+='='\n"
	"	local cur=${words[-1]}\n"
	"	[[ $breaks && $cur == *[\"$breaks\"]* ]] && cut=${cur%\"${cur##*[\"$breaks\"]}\"}\n"
	"	mapfile -t COMPREPLY < <(\"$1\" __complete \"${words[@]:1}\" 2>/dev/null)\n"
	"	for i in \"${!COMPREPLY[@]}\"; do\n"
	"		COMPREPLY[i]=${COMPREPLY[i]#\"$cut\"}\n"
	"	done\n"
	"}\n"
	"complete -F _nvectl nvectl\n";

static const char zsh_script[] =
	"#compdef nvectl\n"
	"# zsh completion of nvectl; load it with: eval \"$(nvectl completion zsh)\"\n"
	"_nvectl()\n"
	"{\n"
	"	local -a found\n"
	"	found=(\"${(@f)$(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" "
	"2>/dev/null)}\")\n"
	"	compadd -- \"${(@)found:#}\"\n"
	"}\n"
	"compdef _nvectl nvectl\n"
	"# A file of fpath is the function itself the first time.\n"
	"[[ ${funcstack[1]} = _nvectl ]] && _nvectl\n";

static int run(struct ctl *ctl)
{
	fputs(strcmp(ctl->in.operands[0], "bash") ? zsh_script : bash_script, stdout);
	return CTL_OK;
}

static const struct ctl_command completion_command = {
	.summary = "print a script that completes commands, options and names",
	.details = "Load it with: eval \"$(nvectl completion bash)\"\n",
	.operands = { "bash|zsh", 1, 1, { CTL_WORDS_SHELL, CTL_WORDS_SHELL } },
	.run = run,
};

static const struct ctl_command *const commands[] = { &completion_command, NULL };

const struct ctl_group ctl_completion_group = {
	"completion", "print a script that completes commands, options and names", commands
};
