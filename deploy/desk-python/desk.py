#!/usr/bin/env python3
"""An agency's desk on the Tocsin bus, written from schemas/README.md and the schemas alone.

It takes in the notices owed to one recipient, holds each against the signature of the event's author, says
`delivered`, prints it, and acknowledges in the name that it is given. Whatever breaks is tried again; what a desk that
died had in hand comes again.
"""

import argparse
import asyncio
import base64
import binascii
import json
import os
import pathlib
import re
import signal
import ssl
import sys
import unicodedata
from datetime import datetime, timezone

import nacl.exceptions
import nacl.signing
import nats
import nats.errors
import nats.js.errors
import nkeys

SAID, LOG = "TOCSIN_SAID", "TOCSIN_LOG"
SUBJECT_TAKEN = 10071  # JetStream's code: something stands on that subject
BEAT_SECONDS = 10  # so often a desk says that it is at work
PULL_SECONDS = 5  # a pull that a broken connection lost is missed for no longer
REFUSAL_SECONDS = 3  # the router refuses within this, or does not


class Unfit(Exception):
    """A notice that cannot be believed, and why."""


# ---- What is signed ------------------------------------------------------------------------------------------------


class PublicKey:
    """A public NKey of a user, ready to verify with."""

    def __init__(self, text: str):
        try:
            raw = base64.b32decode(text) if re.fullmatch("U[A-Z2-7]{55}", text) else b""
        except binascii.Error:
            raw = b""
        sound = len(raw) == 35 and raw[0] == nkeys.PREFIX_BYTE_USER
        if not sound or nkeys.crc16(bytearray(raw[:33])).to_bytes(2, "little") != raw[33:]:
            raise ValueError(f"{text!r} is no public NKey: it has 56 characters that begin with U")
        self.text = text
        self._verify = nacl.signing.VerifyKey(raw[1:33]).verify

    def signed(self, subject: str, body: bytes, signature: str) -> bool:
        """Whether this key made the signature over this subject and these bytes."""
        if not re.fullmatch("[A-Za-z0-9_-]{86}", signature):
            return False
        try:
            self._verify(f"{subject}\n".encode() + body, base64.urlsafe_b64decode(signature + "=="))
            return True
        except (nacl.exceptions.BadSignatureError, ValueError):
            return False


class OwnKey:
    """This recipient's own NKey."""

    def __init__(self, seed: str):
        self._pair = nkeys.from_seed(bytearray(seed.strip().encode()))
        self.public = PublicKey(self._pair.public_key.decode())

    def headers(self, subject: str, body: bytes) -> dict[str, str]:
        """The two headers that make these bytes this recipient's word."""
        signature = self._pair.sign(f"{subject}\n".encode() + body)
        return {
            "Tocsin-Key": self.public.text,
            "Tocsin-Signature": base64.urlsafe_b64encode(signature).decode().rstrip("="),
        }

    def is_mine(self, subject: str, body: bytes, headers: dict[str, str]) -> bool:
        """Whether what stands on a subject is this recipient's word."""
        named = headers.get("Tocsin-Key") == self.public.text
        return named and self.public.signed(subject, body, headers.get("Tocsin-Signature", ""))


# ---- What is read --------------------------------------------------------------------------------------------------


def _pairs(pairs: list) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _number(text: str) -> int:
    if text == "-0" or not re.fullmatch("-?[0-9]+", text):
        raise ValueError(f"{text[:40]} is not written as a whole number")
    return int(text)


_JSON = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_number, parse_float=_number, parse_constant=_number
)


def members(body: bytes) -> dict[str, tuple[object, bytes]]:
    """The members of a JSON object, each with its value and the very bytes in which it stands there."""
    try:
        text = body.decode()
        at = re.compile(r"[ \t\n\r]*")
        found, place, end = {}, 1, len(text) - 1
        if not (text[:1] == "{" and text[-1:] == "}"):
            raise ValueError("it is not one JSON object")
        while True:
            place = at.match(text, place).end()
            if place == end and not found:
                return found
            name, place = _JSON.raw_decode(text, place)
            place = at.match(text, place).end()
            if not isinstance(name, str) or name in found or text[place] != ":":
                raise ValueError("it is not one JSON object, with each key once")
            start = at.match(text, place + 1).end()
            value, place = _JSON.raw_decode(text, start)
            found[name] = value, text[start:place].encode()
            place = at.match(text, place).end()
            if place == end:
                return found
            if text[place] != ",":
                raise ValueError("it is not one JSON object")
            place += 1
    except (ValueError, IndexError, RecursionError) as why:
        raise Unfit(f"it cannot be read: {why}") from why


IDENTIFIER = re.compile("[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


class Notice:
    """A notice that can be believed."""

    def __init__(self, subject: str, body: bytes, recipient: str, known: dict[str, PublicKey]):
        words = subject.split(".")
        if len(words) != 5 or words[:3] != ["tocsin", "notice", recipient]:
            raise Unfit("it is no notice to this recipient")
        self.incident, number = words[3], words[4]
        if not IDENTIFIER.fullmatch(self.incident) or not re.fullmatch("[1-9][0-9]{0,9}", number):
            raise Unfit("it is on no subject of a notice")
        self.number = int(number)
        outer = members(body)
        notice = {name: value for name, (value, _) in outer.items()}
        said = outer.get("said_body", (None, b""))[1]
        event = {name: value for name, (value, _) in members(said).items()}
        if notice.get("recipient") != recipient:
            raise Unfit("it is for another recipient than its subject says")
        numbers = (notice.get("event"), event.get("sequence"))
        if any(type(number) is not int or number != self.number for number in numbers) or any(
            incident != self.incident for incident in (notice.get("incident"), event.get("incident"))
        ):
            raise Unfit("subject, notice and event differ in incident or number")
        if notice.get("status") != event.get("status") or notice.get("status") not in ("actual", "exercise", "test"):
            raise Unfit("notice and event differ in whether it is an exercise")
        publisher, named = event.get("publisher"), notice.get("key")
        if not isinstance(publisher, str) or not IDENTIFIER.fullmatch(publisher):
            raise Unfit("it names no publisher")
        try:
            key = known[publisher] if publisher in known else PublicKey(str(named))
        except ValueError as why:
            raise Unfit(str(why)) from why
        of_event = f"tocsin.incident.{publisher}.{self.incident}.{self.number}"
        if key.text != named or not key.signed(of_event, said, str(notice.get("signature"))):
            raise Unfit(f"it is not signed by {publisher}")
        self.publisher, self.pinned = publisher, publisher in known
        self.status = notice["status"]
        self.wanted = notice.get("acknowledge") is True
        self.due_at, self.event = notice.get("due_at"), event

    def lines(self) -> list[str]:
        """What a person at this desk must see first."""
        mark = "" if self.status == "actual" else f"{self.status.upper()} {self.status.upper()} "
        told = [f"{mark}{self.incident} event {self.number} ({self.event.get('kind')}): {self.event.get('headline')}"]
        if self.wanted:
            told.append(f"  acknowledge by {self.due_at}")
        for field in ("description", "instruction", "public_advice"):
            if self.event.get(field):
                told.append(f"  {field.replace('_', ' ')}: {self.event[field]}")
        for language, words in (self.event.get("public_advice_in") or {}).items():
            told.append(f"  public advice ({language}): {words}")
        if not self.pinned:
            told.append(f"  signed with a key of {self.publisher} that was not given to this desk (--publisher)")
        return told


class NotCome:
    """That a promised update did not come. The router's word: nothing is acknowledged by it."""

    def __init__(self, subject: str, body: bytes, recipient: str):
        words = subject.split(".")
        told = {name: value for name, (value, _) in members(body).items()}
        names = [recipient, told.get("incident"), str(told.get("event")), "overdue", str(told.get("step"))]
        if words[2:] != names or told.get("recipient") != recipient:
            raise Unfit("it is of another event than its subject says")
        mark = "" if told.get("status") == "actual" else f"{str(told.get('status')).upper()} "
        self.line = (
            f"{mark}NO UPDATE CAME: {told.get('publisher')} promised more on {words[3]} by {told.get('promised_by')}"
            f" (event {words[4]})"
        )


# ---- The desk ------------------------------------------------------------------------------------------------------


def tell(line: str) -> None:
    """Prints a line of which nothing can steer a terminal: signed words are a stranger's all the same."""
    plain = "".join(" " if c.isspace() else c for c in line)
    print("".join(c for c in plain if unicodedata.category(c)[0] != "C"), flush=True)


class Desk:
    """One recipient's place on the bus."""

    def __init__(self, options: argparse.Namespace, key: OwnKey):
        self.options, self.key, self.recipient = options, key, options.recipient
        self.known = dict(options.publisher)
        self.watching: set[asyncio.Task] = set()

    async def run(self) -> None:
        """Works until it is cancelled."""
        self.connection = await nats.connect(**self.options.connection, error_cb=self.trouble)
        self.stream = self.connection.jetstream(timeout=5)
        tell(f"{self.recipient} is on the bus")
        pull = await self.stream.pull_subscribe_bind(consumer=f"desk_{self.recipient}", stream=LOG)
        beating = asyncio.create_task(self.beat())
        try:
            while True:
                try:
                    for message in await pull.fetch(batch=20, timeout=PULL_SECONDS):
                        await self.take(message)
                except (asyncio.TimeoutError, nats.errors.TimeoutError):
                    continue  # nothing came
                except nats.js.errors.ServiceUnavailableError:
                    tell(f"nobody gives out notices to {self.recipient}: is it in the directory? Asking again")
                except nats.errors.Error as why:
                    tell(f"the bus: {why}; asking again")
                await asyncio.sleep(1)
        finally:
            beating.cancel()
            await asyncio.wait_for(self.connection.close(), 5)

    async def beat(self) -> None:
        """Says that this desk is at work."""
        while True:
            if self.connection.is_connected:
                await self.connection.publish(f"tocsin.present.{self.recipient}")
            await asyncio.sleep(BEAT_SECONDS)

    async def trouble(self, why: Exception) -> None:
        """What the library tells of a connection that breaks, and of permissions that deny something."""
        tell(f"the bus: {why or type(why).__name__}")

    async def take(self, message: nats.aio.msg.Msg) -> None:
        """Takes one notice in. It is settled last, so that what dies between two lines comes again."""
        try:
            if ".overdue." in message.subject:
                notice = None
                tell(NotCome(message.subject, message.data, self.recipient).line)
            else:
                notice = Notice(message.subject, message.data, self.recipient, self.known)
        except Unfit as why:
            notice = None
            tell(f"NOT BELIEVED: {message.subject}: {why}. Tell your administrator")
        if notice:
            for line in notice.lines():
                tell(line)
            await self.say(notice, "delivered")
            if notice.wanted and self.options.by:
                by = {"name": self.options.by, "role": self.options.role}
                number = await self.say(notice, "acknowledged", by=by, method="program")
                tell(f"acknowledged {notice.incident} event {notice.number}")
                watch = asyncio.create_task(self.watch(notice, number))
                self.watching.add(watch)
                watch.add_done_callback(self.watching.discard)
        try:
            await message.ack_sync(timeout=5)
        except (nats.errors.Error, asyncio.TimeoutError):
            tell(f"{message.subject} is not settled: it comes again")

    async def say(self, notice: Notice, stage: str, **more: object) -> int:
        """Says a receipt, once, however often it must be tried. Gives the number that the broker gave to it."""
        receipt = {
            "incident": notice.incident,
            "event": notice.number,
            "recipient": self.recipient,
            "stage": stage,
            "at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            **more,
        }
        if self.options.control_room:
            receipt["control_room"] = self.options.control_room
        body = json.dumps(receipt, ensure_ascii=False, separators=(",", ":")).encode()
        subject = f"tocsin.receipt.{self.recipient}.{notice.incident}.{notice.number}.{stage}"
        headers, last = self.key.headers(subject, body), 0
        while True:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(last)
            try:
                return (await self.stream.publish(subject, body, headers=headers)).seq
            except nats.errors.Error as why:
                if getattr(why, "err_code", None) != SUBJECT_TAKEN:
                    # Whether it is said is not known; the same bytes again do no harm.
                    tell(f"{subject} is not said yet: {why}; trying again")
                    await asyncio.sleep(1)
                    continue
            found = await self.read(SAID, subject)
            if found and self.key.is_mine(subject, found.data or b"", found.headers or {}):
                if not await self.read(LOG, f"tocsin.refusal.{found.seq}"):
                    return found.seq  # said before, maybe by a desk of ours that died
            if found and found.seq != last:
                last = found.seq  # another's words: ours go beside them, and count
            else:
                await asyncio.sleep(0.2)  # the replica that answers lags

    async def read(self, stream: str, subject: str) -> object | None:
        """What stands on a subject, if anything does."""
        while True:
            try:
                return await self.stream.get_last_msg(stream, subject, direct=True)
            except nats.js.errors.NotFoundError:
                return None
            except nats.errors.Error:
                await asyncio.sleep(1)

    async def watch(self, notice: Notice, number: int) -> None:
        """Tells when the router refuses what was said. Of what counts it writes nothing."""
        for _ in range(REFUSAL_SECONDS):
            await asyncio.sleep(1)
            if refusal := await self.read(LOG, f"tocsin.refusal.{self.recipient}.{number}"):
                reasons = "; ".join(json.loads(refusal.data)["reasons"])
                tell(f"REFUSED: the acknowledgement of {notice.incident} event {notice.number}: {reasons}")
                return


# ---- The command line ----------------------------------------------------------------------------------------------


def _recipient(text: str) -> str:
    if not IDENTIFIER.fullmatch(text):
        raise argparse.ArgumentTypeError("use 1 to 64 of a-z, 0-9 and inner hyphens, such as pol-kent")
    return text


def _name(text: str) -> str:
    if not text.strip() or len(text) > 120 or not text.isprintable():
        raise argparse.ArgumentTypeError("write one line of at most 120 characters")
    return text


def _publisher(text: str) -> tuple[str, PublicKey]:
    name, _, key = text.partition("=")
    try:
        return _recipient(name), PublicKey(key)
    except (ValueError, argparse.ArgumentTypeError) as why:
        raise argparse.ArgumentTypeError(f"write ID=KEY: {why}") from why


def _seed(path: str, what: str) -> str:
    try:
        return pathlib.Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as why:
        sys.exit(f"{what}: {path} cannot be read: {why}")


def _connection(environment: dict[str, str], recipient: str) -> dict:
    """How to reach the bus, as the variables say that the tocsin program takes too."""
    take = lambda name: environment.get(name) or None
    given = {
        "servers": (take("NATS_URL") or "nats://127.0.0.1:4222").split(","),
        "name": f"desk.py {recipient}",
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 1,
        "inbox_prefix": take("NATS_INBOX_PREFIX") or "_INBOX",
    }
    if login := take("NATS_NKEY"):
        given["nkeys_seed_str"] = login if login.startswith("SU") else _seed(login, "NATS_NKEY")
    if take("NATS_CA") or take("NATS_CERT"):
        try:
            given["tls"] = ssl.create_default_context(cafile=take("NATS_CA"))
            if take("NATS_CERT"):
                given["tls"].load_cert_chain(take("NATS_CERT"), take("NATS_KEY"))
        except OSError as why:
            sys.exit(f"NATS_CA, NATS_CERT or NATS_KEY cannot be used: {why}")
    return given


def options() -> argparse.Namespace:
    """What was asked for, checked."""
    parser = argparse.ArgumentParser(
        description="A desk on the Tocsin bus. NATS_URL names the bus; NATS_NKEY, NATS_CA, NATS_CERT, NATS_KEY and "
        "NATS_INBOX_PREFIX are as for the tocsin program.",
    )
    parser.add_argument("--as", dest="recipient", required=True, type=_recipient, metavar="ID", help="whose desk it is")
    parser.add_argument("--key", required=True, metavar="FILE", help="the file with this recipient's NKey seed")
    parser.add_argument("--by", type=_name, metavar="NAME", help="acknowledge what asks for it in this person's name")
    parser.add_argument("--role", type=_name, metavar="ROLE", help="and in this role")
    parser.add_argument("--control-room", type=_name, metavar="NAME", help="the control room that it stands in")
    parser.add_argument(
        "--publisher", type=_publisher, action="append", default=[], metavar="ID=KEY",
        help="a publisher's public key, as you know it by another way than the bus: no other one is believed for it",
    )
    given = parser.parse_args()
    if (given.by is None) != (given.role is None):
        parser.error("an acknowledgement names a person and a role: give both --by and --role, or neither")
    given.connection = _connection(dict(os.environ), given.recipient)
    return given


async def main() -> None:
    """Works until SIGINT or SIGTERM."""
    given = options()
    try:
        key = OwnKey(_seed(given.key, "--key"))
    except (ValueError, nkeys.NkeysError) as why:
        sys.exit(f"--key: {given.key} holds no NKey seed of a user: one line that begins with SU ({type(why).__name__})")
    working = asyncio.create_task(Desk(given, key).run())
    loop = asyncio.get_running_loop()

    def end() -> None:
        """Ends the work, and asks again until it has: `wait_for` of Python 3.11 loses a cancellation that comes in the
        same moment as what it waits for."""
        if not working.done():
            working.cancel()
            loop.call_later(1, end)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    try:
        await working
    except asyncio.CancelledError:
        tell("this desk ends; what comes now waits for it")


if __name__ == "__main__":
    asyncio.run(main())
