"""The schedules a run can follow, all behind one small interface.

`conservative` and `metropolis` are the core's two rules; the others are for comparison: `lockstep`
is what is done today, `serial` the original program, `oracle` knows the future and `unconstrained`
ignores it (DESIGN section 5).
"""

from headway.schedules.base import Schedule, Setting
from headway.schedules.registry import SCHEDULES, make_schedule

__all__ = ["SCHEDULES", "Schedule", "Setting", "make_schedule"]
