"Hands the requirements of settings.ini to setuptools; the rest of the metadata is in pyproject.toml."

from configparser import ConfigParser
from pathlib import Path

from setuptools import setup

cfg = ConfigParser()
cfg.read(Path(__file__).with_name('settings.ini'), encoding='utf-8')
needs = {k.removesuffix('requirements').strip('_'): v.split('\n') for k, v in cfg['DEFAULT'].items()}
setup(install_requires=needs.pop(''), extras_require=needs)
