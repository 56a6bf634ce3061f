"""`zoo completion`: the script with which a shell completes `decoder=<TAB>`."""

from __future__ import annotations

import os
import re
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

from zoo.cli.answer import ANSWER
from zoo.cli.problems import visible

# Bash splits words at `=`, so `decoder=l` is three words to it. The zoo therefore receives the whole line,
# and bash the part of each completion after the last split.
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


PLAIN = re.compile(r"[\w.=@:/+,-]*")
"""Words that mean the same to a shell without quotation marks."""


class _PlainWords(ShellComplete):
    """Offers no word that a shell would take for more than a word, and no help with control characters.

    Shells insert words as they are, and read a line for each. Names and help may come from a file.
    """

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        items = super().get_completions(args, incomplete)
        for item in items:
            item.help = visible(item.help) if item.help else item.help
        return [item for item in items if item.type != "plain" or PLAIN.fullmatch(item.value)]


@add_completion_class
class Bash(_PlainWords, BashComplete):
    """Completion in bash that supports `=`."""

    source_template = _BASH

    @staticmethod
    def _check_version() -> None:
        """Accept any bash: the script omits what an old version lacks."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The complete words after the command, and the word at the cursor."""
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)
        unfinished = "" if not words or line[-1:].isspace() else words.pop()
        return words[1:], unfinished


@add_completion_class
class Zsh(_PlainWords, ZshComplete):
    """Completion in zsh that adds no space after `decoder=`."""

    source_template = _ZSH


@add_completion_class
class Fish(_PlainWords, FishComplete):
    """Completion in fish that keeps the text after a comma."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split -m1 ","')


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for a shell.

    For bash, add this to ~/.bashrc: eval "$(zoo completion bash)". For zsh, add the same with zsh to
    ~/.zshrc; for fish: zoo completion fish > ~/.config/fish/completions/zoo.fish
    """
    classes: dict[str, Any] = {"bash": Bash, "zsh": Zsh, "fish": Fish}
    root = click.get_current_context().find_root()
    click.echo(classes[shell](root.command, {}, "zoo", "_ZOO_COMPLETE").source(), ANSWER, nl=False)
