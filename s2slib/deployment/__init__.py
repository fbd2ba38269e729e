"""What the operator declares: schema <-> YAML <-> form <-> documentation.

    params/<name>.yaml --load--> Deployment --to_yaml--> the same again
    a notebook's parameters --from_parameters--> Deployment

`python -m s2slib.deployment --document` prints the documentation of the schema (docs/parameters.md).
"""

from s2slib.deployment.load import from_parameters, load
from s2slib.deployment.model import PARAMETERS, Deployment, Product, Server, TestUser, WinRmEndpoint
from s2slib.deployment.problems import DeploymentError, Problem

__all__ = [
    "PARAMETERS",
    "Deployment",
    "DeploymentError",
    "Problem",
    "Product",
    "Server",
    "TestUser",
    "WinRmEndpoint",
    "from_parameters",
    "load",
]
