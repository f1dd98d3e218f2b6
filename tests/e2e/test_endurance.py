"""tests/e2e/endurance in short: each kind runs for a second or two, so that it can be trusted when it runs for long."""

import types
import unittest

import endurance_backlog
import endurance_held
import endurance_load
import endurance_nonces
import processes
from load import corpus


class Endurance(unittest.TestCase):
    def options(self, count, threads=1):
        return types.SimpleNamespace(count=count, seed=1, threads=threads, script=0, realtime=False, uncounted=True)

    def test_mutate(self):
        counts = endurance_load.mutate(processes.new_folder('mutate'), self.options(8000, threads=2))
        self.assertGreater(counts['canaries'], 200)

    def test_drift(self):
        # Few requests do not meet in every way, and touch something new to their end: what memory does is told by many.
        endurance_load.drift(processes.new_folder('drift'), self.options(6000), most_kib=1024, parts=2)

    def test_a_wrong_answer_is_noticed(self):
        folder = processes.new_folder('wrong')
        load = endurance_load.Load(folder, keep=folder)
        self.addCleanup(load.fcgate.end)
        (folder / 'site' / 'static.txt').write_bytes(corpus.file_content().replace(b's000111', b's000l11'))
        with self.assertRaisesRegex(endurance_load.Failed, 'a file has bytes that it does not have'):
            load.send('plain', 10000, 1)

    def test_nonces(self):
        endurance_nonces.nonces(processes.new_folder('nonces'), self.options(1000))

    def test_backlog(self):
        endurance_backlog.backlog(processes.new_folder('backlog'), self.options(1.5), (0.7, 0.5), strict=False)

    def test_held(self):
        endurance_held.held(processes.new_folder('held'), self.options(2))
