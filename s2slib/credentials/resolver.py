"""From references to credentials: once a run, each secret known to the redactor before anybody else sees it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping

from s2slib import workspace
from s2slib.credentials.errors import CredentialError
from s2slib.credentials.lab_state import LabState, LabStateError, lab_state_file, read_lab_state
from s2slib.credentials.reference import Reference
from s2slib.credentials.secret import Credential, Secret
from s2slib.credentials.sources import (
    NOBODY_TO_ASK,
    Asker,
    KeyStore,
    NobodyToAsk,
    Runner,
    ask_person,
    machine_key_store,
    run_program,
)
from s2slib.records.redaction import Redactor

COMMAND_TIMEOUT_S = 60.0


def running_lab(environ: Mapping[str, str] | None = None) -> LabState:
    """The state of the lab that is running for this workspace; LabStateError if none is."""
    return read_lab_state(lab_state_file(lambda: workspace.find(environ=environ).runs, environ))


class Resolver:
    """Resolves references for one run. Asks for nothing twice; thread-safe.

    Resolve from the main thread before fanning out: in a notebook only that can ask. Every secret is added to the
    redactor before it is returned.
    """

    def __init__(
        self,
        redactor: Redactor,
        *,
        asker: Asker = ask_person,
        environ: Mapping[str, str] | None = None,
        key_store: Callable[[], KeyStore] = machine_key_store,
        runner: Runner = run_program,
        lab: Callable[[], LabState] = running_lab,
        platform: str = sys.platform,
    ) -> None:
        self._redactor = redactor
        self._asker = asker
        self._environ = os.environ if environ is None else environ
        self._key_store = key_store
        self._runner = runner
        self._lab = lab
        self._platform = platform
        self._lock = threading.RLock()
        self._known: dict[tuple[Reference, str | None, str], Credential] = {}

    def __repr__(self) -> str:
        return "Resolver(...)"

    def resolve(self, reference: Reference | str, *, user: str | None = None, account_hint: str = "") -> Credential:
        """The credential behind a reference.

        `user` stands beside the reference in the params file; `account_hint` says in a prompt what it is for ("the
        Exchange servers"), and prompts with different hints are different questions. Raises CredentialError.
        """
        wanted = Reference.parse(reference) if isinstance(reference, str) else reference
        key = (wanted, user, account_hint if wanted.scheme == "prompt" else "")
        with self._lock:
            if key in self._known and wanted.scheme != "lab":
                return self._known[key]
            credential = self._resolved(wanted, user, account_hint)
            if credential.secret is not None:
                self._redactor.add(credential.secret)
            self._known[key] = credential
            return credential

    def forget(self) -> None:
        """Afterwards everything is asked for again; what the redactor knows, it still knows."""
        with self._lock:
            self._known.clear()

    def _resolved(self, reference: Reference, user: str | None, hint: str) -> Credential:
        text = str(reference)
        match reference.scheme:
            case "env":
                return Credential(_required(user, text), self._from_environment(reference), text)
            case "keyring":
                service, _, name = reference.detail.partition("/")
                return Credential(name, self._from_key_store(service, name, text), text)
            case "prompt":
                return self._asked(user, hint, text)
            case "command":
                return Credential(_required(user, text), self._printed(reference), text)
            case "lab":
                try:
                    account = self._lab().account(reference.detail)
                except (LabStateError, workspace.WorkspaceError) as error:
                    raise CredentialError(text, str(error)) from None
                return Credential(account.user, account.secret, text)
            case "ticket":
                return Credential(user, None, text)
            case "current":
                if self._platform != "win32":
                    raise CredentialError(
                        text,
                        "is the Windows logon, and this is not Windows",
                        "use ticket: (kinit) or another reference",
                    )
                return Credential(None, None, text)

    def _from_environment(self, reference: Reference) -> Secret:
        value = self._environ.get(reference.detail)
        if not value:
            state = "is empty" if value == "" else "is not set"
            raise CredentialError(
                str(reference), f"the environment variable {reference.detail} {state}", "set it for this process only"
            )
        return Secret(value)

    def _from_key_store(self, service: str, name: str, text: str) -> Secret:
        try:
            value = self._key_store().get_password(service, name)
        except CredentialError as error:
            raise CredentialError(text, error.problem, error.remedy) from None
        except Exception as error:  # a backend's own errors; their text is not ours to trust
            raise CredentialError(
                text, f"the key store cannot be read ({type(error).__name__})", "unlock it, or use env: or prompt:"
            ) from None
        if not value:
            raise CredentialError(text, "the key store has no such entry", f"store it: keyring set {service} {name}")
        return Secret(value)

    def _asked(self, user: str | None, hint: str, text: str) -> Credential:
        purpose = f" for {hint}" if hint else ""
        try:
            name = user or self._asker(f"User{purpose}: ", hidden=False).strip()
            value = self._asker(f"Password of {name}{purpose}: ", hidden=True) if name else ""
        except NobodyToAsk:
            raise CredentialError(text, NOBODY_TO_ASK) from None
        if not value:
            raise CredentialError(text, "nothing was typed", "run the cell or command again")
        return Credential(name, Secret(value), text)

    def _printed(self, reference: Reference) -> Secret:
        output = self._runner(reference.arguments, COMMAND_TIMEOUT_S)
        program = f"command: {reference.arguments[0]}"
        try:
            value = output.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            value = None
        if value is None:
            raise CredentialError(program, "printed something that is not UTF-8 text")
        if not value:
            raise CredentialError(program, "printed nothing", "it must print the password and nothing else")
        if "\n" in value or "\r" in value:
            raise CredentialError(program, "printed more than one line", "it must print the password and nothing else")
        return Secret(value)


def resolve(
    reference: Reference | str,
    *,
    user: str | None = None,
    account_hint: str = "",
    asker: Asker = ask_person,
    redactor: Redactor | None = None,
) -> Credential:
    """The credential behind one reference, with nothing remembered; for several use a `Resolver`."""
    resolver = Resolver(redactor or Redactor(), asker=asker)
    return resolver.resolve(reference, user=user, account_hint=account_hint)


def _required(user: str | None, text: str) -> str:
    if not user:
        raise CredentialError(text, "no user stands beside it", "add `user` to the credential in the params file")
    return user
