"""Shapes and types in annotations are checked wherever the tests call the code, and only there."""

from jaxtyping import install_import_hook

# Before anything imports them: a module imported earlier would go unchecked. Of the service, the
# parts that handle arrays: beartype cannot take the `Self` of a pydantic validator in the others.
install_import_hook(
    [
        "training",
        "service.buckets",
        "service.collections",
        "service.cuda",
        "service.decode",
        "service.device",
        "service.index",
        "service.session",
    ],
    "beartype.beartype",
)
