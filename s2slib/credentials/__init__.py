"""References to secrets and their resolution: a params file says where a secret is, never what it is."""

from s2slib.credentials.errors import CredentialError
from s2slib.credentials.lab_state import LabState, LabStateError
from s2slib.credentials.reference import FORMS, Reference, ReferenceFormatError
from s2slib.credentials.resolver import Resolver, resolve, running_lab
from s2slib.credentials.secret import Credential, Secret

__all__ = [
    "FORMS",
    "Credential",
    "CredentialError",
    "LabState",
    "LabStateError",
    "Reference",
    "ReferenceFormatError",
    "Resolver",
    "Secret",
    "resolve",
    "running_lab",
]
