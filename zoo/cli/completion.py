"""`zoo completion`: the script that lets a shell complete `decoder=<TAB>`."""

from __future__ import annotations

import os
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    FishComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

from zoo.cli.answer import ANSWER

# Bash breaks words at `=`, so that `decoder=l` reaches it as three of them. The line goes to the zoo
# whole, and of each answer bash is given what stands after the last break.
_BASH = """\
%(complete_func)s() {
    local line="${COMP_LINE:0:COMP_POINT}" answer
    local current="${line##*[[:space:]]}"
    local before="${current%%"${current##*[\\"\\'@\\>\\<=\\;\\|\\&\\(:]}"}"
    while IFS= read -r answer; do
        case "$answer" in
            file,*|dir,*) compopt -o default 2>/dev/null ;;
            plain,*)
                answer="${answer#plain,}"
                COMPREPLY+=("${answer#"$before"}")
                case "$answer" in *[=./]) compopt -o nospace 2>/dev/null ;; esac ;;
        esac
    done < <(env COMP_LINE="$line" %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null ||
    complete -F %(complete_func)s %(prog_name)s
"""

_ZSH = """\
#compdef %(prog_name)s
%(complete_func)s() {
    local -a open plain described
    local type key help
    for type key help in "${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \
            %(complete_var)s=zsh_complete %(prog_name)s 2>/dev/null)}"; do
        case "$type,$key,$help" in
            file,*|dir,*) _files ;;
            plain,*[=.],*) open+=("$key") ;;
            plain,*,_) plain+=("$key") ;;
            plain,*) described+=("$key:$help") ;;
        esac
    done
    (( $#described )) && _describe -V parts described -U
    (( $#plain )) && compadd -U -V parts -a plain
    (( $#open )) && compadd -U -S '' -V parts -a open
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


@add_completion_class
class Bash(BashComplete):
    """Completion in bash that knows of `=`."""

    source_template = _BASH

    @staticmethod
    def _check_version() -> None:
        """Any bash will do: what an old one lacks is left out."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The finished words after the command, and the word at the cursor."""
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)
        unfinished = "" if not words or line[-1:].isspace() else words.pop()
        return words[1:], unfinished


@add_completion_class
class Zsh(ZshComplete):
    """Completion in zsh that puts no space after `decoder=`."""

    source_template = _ZSH


@add_completion_class
class Fish(FishComplete):
    """Completion in fish that keeps what stands behind a comma."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split -m1 ","')


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that completes words in a shell.

    For bash, put this into ~/.bashrc: eval "$(zoo completion bash)". For zsh the same with zsh, in
    ~/.zshrc; for fish: zoo completion fish > ~/.config/fish/completions/zoo.fish
    """
    classes: dict[str, Any] = {"bash": Bash, "zsh": Zsh, "fish": Fish}
    root = click.get_current_context().find_root()
    click.echo(classes[shell](root.command, {}, "zoo", "_ZOO_COMPLETE").source(), ANSWER, nl=False)
