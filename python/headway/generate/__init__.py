"""Synthetic towns of any size, calibrated on the published figures of a recorded one."""

from headway.generate.calibration import Figures, measure
from headway.generate.town import Town
from headway.generate.worlds import LAYOUTS, generate_town

__all__ = ["LAYOUTS", "Figures", "Town", "generate_town", "measure"]
