__version__ = "0.1.0"

from importlib import import_module
from typing import TYPE_CHECKING

from .curves import *
from .curves import __all__ as _names

if TYPE_CHECKING:
    from .schedulers import *

_lazy = {'HyperbolicLR', 'ExpHyperbolicLR', 'Cooldown'}
__all__ = [*_names, *sorted(_lazy)]


def __getattr__(name):
    "The schedulers when they are asked for: the help of a command should not wait for torch"
    if name in _lazy:
        return getattr(import_module('.schedulers', __name__), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__():
    return sorted({*globals(), *__all__})
