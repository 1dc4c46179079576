"""Control paths that only this model has, because they show or set what its services hold: `schedules` (Scheduler's, and what
became of those that fired).

They stand beside those of `control`. They must never do what a call to AWS could.
"""


class Doors:
    def __init__(self, firing):
        self._firing = firing

    async def get_schedules(self, _query, _body) -> dict:
        return self._firing.show()
