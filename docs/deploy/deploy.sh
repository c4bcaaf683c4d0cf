#!/usr/bin/env bash
# Brings a database and its nodes from the release before to RELEASE: expand, migrate, roll the nodes, contract.
#
#   DATABASE_URL=postgres://… ROLL='./roll-nodes.sh' ./deploy.sh RELEASE            all of it
#   … ./deploy.sh RELEASE expand migrate                                             these stages alone; then, another day:
#   … ./deploy.sh RELEASE contract
#
# Whatever happened, run it again: each stage sees what is done already. It exits 0 when RELEASE is where it was to be
# brought, and otherwise with the code of the command that stopped it (README.md says what each asks for).
# shellcheck disable=SC2086 # the options are several words
set -uo pipefail

(($# > 0)) || { echo 'usage: deploy.sh RELEASE [expand] [migrate] [roll] [contract]' >&2; exit 2; }
release=$1
shift
stages=${*:-expand migrate roll contract}

: "${CONCERTINA:=concertina}"   # the program
: "${PROJECT:=.}"               # the folder with concertina.yaml
: "${ROLL:=}"                   # a command that replaces the nodes by those of RELEASE; it must bear to be run again
: "${MIGRATE_OPTIONS:=}"        # such as --max-time 4h, for a window: at its end the exit code is 4, and the next night goes on
: "${CONTRACT_OPTIONS:=}"       # such as --quiet-period 1h
: "${PATIENCE:=1800}"           # for how many seconds another runner, and old nodes that were just heard of, are waited for
: "${PAUSE:=10}"                # how many seconds lie between two tries

say() { printf 'deploy.sh: %s\n' "$*" >&2; }

# A scheduler sends SIGTERM to this script alone. The command gets it too, saves its state, and is waited for. (Ctrl-C reaches
# both by itself.)
child='' stopped=''
trap 'stopped=143; [[ -z $child ]] || kill -s TERM "$child" 2>/dev/null' TERM
trap 'stopped=130' INT

# Runs a command to its end, whatever signals come meanwhile, and gives its exit code.
run() {
    local code before
    "$@" &
    child=$!
    while before=$stopped; wait "$child"; code=$?; [[ $stopped != "$before" ]]; do :; done
    child=''
    return "$code"
}

# Runs a command of concertina until it is done. Only what time mends is tried again.
step() {
    local code deadline=$((SECONDS + PATIENCE))
    while :; do
        run "$CONCERTINA" --project "$PROJECT" "$@"
        code=$?
        [[ -z $stopped ]] || exit "$stopped"
        case $code in
            0) return ;;
            4) say "$1 stopped at its limit; run this again to go on" ;;
            6) [[ $1 != contract ]] || { again "$deadline" "contract is refused for now" && continue; } ;;
            7) again "$deadline" "another runner is at work" && continue ;;
            8) say "files or triggers are not what was applied: see above, and concertina status" ;;
            9) say "a person must look at the database, and say what is there: concertina resolve" ;;
        esac
        say "$1 of $release stopped with exit code $code"
        exit "$code"
    done
}

# Waits before the next try; false where the time is over.
again() {
    ((SECONDS < $1)) || return
    say "$2; trying again in $PAUSE s"
    run sleep "$PAUSE"
    [[ -z $stopped ]] || exit "$stopped"
}

for stage in $stages; do
    case $stage in
        expand) step expand --release "$release" ;;
        migrate) step migrate --release "$release" $MIGRATE_OPTIONS ;;
        roll)
            [[ -n $ROLL ]] || { say "no ROLL command: who replaces the nodes?"; exit 2; }
            step check --release "$release"
            RELEASE=$release run bash -c "$ROLL" || {
                code=$?
                say "the nodes were not all replaced (exit code $code); nothing of the old release was taken away"
                exit "${stopped:-1}"
            }
            ;;
        contract) step contract --release "$release" $CONTRACT_OPTIONS ;;
        *) say "no such stage: $stage"; exit 2 ;;
    esac
    [[ -z $stopped ]] || exit "$stopped"
done
