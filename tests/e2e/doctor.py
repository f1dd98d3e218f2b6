"""fcgate doctor, run on a configuration of its own, and what it has told."""

import glob
import json
import os
import subprocess
import unittest

import processes

HEALTHY, USAGE, WARNED, FAULTY = 0, 2, 3, 6


@processes.needs('doctor')
class DoctorCase(unittest.TestCase):
    workers = 2
    told = []  # every check of every report
    whole = set()  # the cases that were not skipped

    def run(self, result=None):
        skipped = len(result.skipped)
        super().run(result)
        if len(result.skipped) == skipped:
            self.whole.add((type(self).__name__, self._testMethodName))

    def setUp(self):
        self.folder = processes.new_folder('doctor')
        self.port = processes.free_port()
        self.root = self.folder / 'site'
        self.root.mkdir()
        # Whoever runs it is found out.
        self.witness = processes.give(self.made('witness')) / 'ran'
        (self.root / 'index.php').write_text(f'<?php touch("{self.witness}");')
        self.spool = processes.give(self.made('spool'))
        self.spool.chmod(0o1777)
        self.environment = dict(os.environ)

    def tearDown(self):
        self.assertFalse(self.witness.exists(), 'the script was run')
        left = [*self.root.glob('fcgate-doctor*'), *self.spool.glob('fcgate-doctor*'), *glob.glob('/tmp/fcgate-doctor*')]
        self.assertEqual(left, [])

    def made(self, name):
        path = self.folder / name
        path.mkdir(exist_ok=True)
        return path

    def start_php(self, values=(), lines=(), workers=None, tcp=False):
        php = processes.PhpFpm(self.folder, workers or self.workers, tcp=tcp, values=values, lines=lines)
        self.addCleanup(php.end)
        return php.start()

    def configuration(self, php=None, server=(), backend=(), site=(), more=()):
        text = processes.configuration(self.port, self.root, php, server, backend, [f'spool = {self.spool}', *site], more)
        path = self.folder / 'fcgate.conf'
        path.write_text(text)
        return path

    def run_doctor(self, *arguments, prefix=(), **options):
        return subprocess.run([*prefix, processes.fcgate_path, 'doctor', *map(str, arguments)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=30, cwd=self.folder, env=self.environment, **options)

    @staticmethod
    def is_guarded():
        """With a libmicrohttpd of the system that fcgate has a note about."""
        return '(libmicrohttpd 0.9.' in subprocess.run([processes.fcgate_path, '-V'], capture_output=True, text=True, check=True).stdout

    def examine(self, php=None, code=None, server=(), backend=(), site=(), more=(), arguments=(), **options):
        """What there is to be said, without what is in order."""
        return self.examine_again(self.configuration(php, server, backend, site, more), code, *arguments, **options)

    def examine_again(self, path, code, *arguments, **options):
        done = self.run_doctor('-c', path, *arguments, '--json', **options)
        self.report = json.loads(done.stdout)
        self.checks = self.report['checks']
        self.told.extend(self.checks)
        found = [check for check in self.checks if check['level'] in ('warning', 'fault')]
        for level in ('ok', 'note', 'warning', 'fault'):
            self.assertEqual(self.report[level], sum(check['level'] == level for check in self.checks))
        expected = FAULTY if self.report['fault'] else WARNED if self.report['warning'] else HEALTHY
        self.assertEqual(done.returncode, expected, done)
        if code is not None:
            self.assertEqual(done.returncode, code, done.stdout)
        return found

    def expect(self, found, id, level, text, remedy='.'):
        """The one finding."""
        self.assertEqual([(check['id'], check['level']) for check in found], [(id, level)], found)
        self.assertRegex(found[0]['text'], text)
        self.assertRegex(found[0]['remedy'], remedy)
        return found[0]

    def of(self, id):
        return [check for check in self.checks if check['id'] == id]
