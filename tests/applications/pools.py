"""Who runs PHP for an application: a php-fpm that is there already, or fcgate."""

import processes
from cases import TWO


class Spawned:
    """What a new user begins with: fcgate starts PHP, and tells it how large an upload may be."""

    @staticmethod
    def make(folder, *_):
        return processes.SpawnedPhp(folder)

    def __str__(self):
        return 'spawned'


EITHER = [TWO, Spawned()]
