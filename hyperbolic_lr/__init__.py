__version__ = "0.1.0"

from .curves import *
from .schedulers import *
