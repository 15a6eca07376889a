#!/usr/bin/env bash
# Makes the record of this release, of every sort of fact: crates/audit/tests/kept/record.sh FILE.bundle
# It needs tocsin on the PATH, and nats-server there or in NATS_SERVER. Everybody in it is invented.
set -euo pipefail

file=$(realpath "$1")
deploy=$(realpath "$(dirname "$0")/../../../../deploy")
home=$(mktemp -d)
cd "$home"
cp -r "$deploy/directory" "$deploy/policy" .
# The first windows close while it is made; those of the last incident are still armed at its end.
sed -i 's/within = "10m"/within = "3s"/; s/within = "20m"/within = "6s"/' policy/example.toml

# What the publisher owes, whom to remind of it, and whom to write to in another's stead.
cat >>policy/example.toml <<'TOML'

[[duties]]
id = "first"
what = "The first word, by telephone and in writing"
stage = "initial"
from = "aware"
within = "5s"
kinds = ["fire", "police"]
channels = ["telephone", "writing"]

[[duties]]
id = "early"
what = "An early update"
stage = "update"
from = "aware"
target = "3s"

[[duties]]
id = "final"
what = "The final report"
stage = "final"
from = "first"
within = "1 month"
TOML
sed -i 's/reach = .*//; s/contact = "senior"/contact = "senior"\nreach = "buddy"/' policy/example.toml
sed -i 's/areas = "all" }/areas = "all", contacts.duty = { role = "Duty manager", email = "duty@operator.example" } }/
  s/^neighbours = .*/&\nbuddy = "ambulance-south"\ncontrol_rooms = [{ id = "north", name = "North control", critical_contact_number = "01632 960910" }]/' directory/example.toml

pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -r "$home"' EXIT
start() { "$@" >>"$home/log" 2>&1 & pids+=($!); }
# Waits until a command tells of something.
until_told() {
  for _ in $(seq 300); do
    "${@:2}" >told 2>&1 || true
    if grep -q -- "$1" told; then return; fi
    sleep 0.2
  done
  cat log told
  return 1
}

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export NATS_URL=nats://127.0.0.1:$port
start "${NATS_SERVER:-nats-server}" -js -sd "$home/store" -a 127.0.0.1 -p "$port"
until_told "are there" tocsin setup
tocsin keys new --directory directory/example.toml --out keys
tocsin directory apply directory/example.toml --keys keys/public.toml

# A relay where nobody listens: attempts begin and end.
cat >tocsin.toml <<'TOML'
[notifier]
from = "Tocsin <tocsin@operator.example>"
message_id_domain = "tocsin.operator.example"
[[notifier.relays]]
name = "own"
host = "127.0.0.1"
port = 1
tls = "none"
TOML
start tocsin router --key keys/checkpoint_key.nk
start tocsin notifier --config tocsin.toml
start tocsin desk --as police-north --key keys/police-north.nk
start tocsin desk --as fire --key keys/fire.nk --by "A. Example" --role "duty manager" --acknowledge-on success --exec /bin/true
until_told "^2$" grep -c "Hearing the bus" log

record() { tocsin audit export --all record.bundle >/dev/null && cat record.bundle; }
say() { tocsin publish --as operator --key keys/operator.nk "$@"; }
first=(--category outage --services 999-voice --areas exampleshire --severity extreme --urgency immediate
  --certainty observed --platform primary)
soon() { date -u -d "+$1 seconds" +%FT%TZ; }
say --incident record-1 --headline "999 calls fail" "${first[@]}" --aware-at "$(soon 0)" --next-update-by "$(soon 4)"
tocsin called record-1 --to fire --spoke-to "C. Example" --their-role "control duty manager" --number "01632 960905" \
  --as operator --key keys/operator.nk --by "D. Example" --role "duty manager"
tocsin tell --as police-north --key keys/police-north.nk --services 999-voice --areas north \
  --headline "No 999 call has reached us" --by "E. Example" --role "force incident manager"
until_told 'tocsin.proposal.operator.*' record
report=$(record | grep -o 'tocsin.report.police-north.[a-z0-9-]*' | head -1 | cut -d. -f4)
tocsin link record-1 --with-report "police-north/$report" --as operator --key keys/operator.nk --by "D. Example" --role "duty manager"
# What nobody may say is refused. It goes to the bus as it is: a client of ours would not send it.
exec 3<>"/dev/tcp/127.0.0.1/$port"
printf 'CONNECT {}\r\nPUB tocsin.receipt.nobody.record-1.1.delivered 2\r\n{}\r\nPING\r\n' >&3
until_told 'tocsin.refusal' record
exec 3>&-
until_told 'tocsin.finding.record-1.1.2' record
until_told 'tocsin.attempt.*record-1.1.2.*.ended' record
until_told 'tocsin.notice.fire.record-1.1.overdue.*' record
say --update record-1 --platform backup --description "On the backup platform. Some calls still fail."
say --correct record-1 --event 2 --description "On the backup platform. No calls fail there."
tocsin ack record-1 --as ambulance-south --key keys/ambulance-south.nk --by "B. Example" --role "duty manager"
say --resolve record-1 --description "Calls connect again."
# The rest is owed from here on under windows that are still armed at the end.
sed -i 's/within = "3s"/within = "10m"/; s/within = "6s"/within = "20m"/' policy/example.toml
tocsin directory apply directory/example.toml --keys keys/public.toml
say --incident record-2 --status exercise --headline "Exercise: 999 calls fail" "${first[@]}"
say --incident record-3 --status actual --headline "It is none" "${first[@]}"
say --cancel record-3 --description "It was no incident."
say --incident record-4 --status exercise --headline "Should not have been sent" "${first[@]}"
say --withdraw record-4 --description "Sent in error."
tocsin test-call --as operator --key keys/operator.nk
until_told 'tocsin.receipt.fire.record-2.1.acknowledged' record
# Whatever was written last is covered by a checkpoint.
sleep 3
record >/dev/null
tocsin audit verify record.bundle
cp record.bundle "$file"
