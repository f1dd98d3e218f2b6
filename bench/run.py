"""Every scenario, in rounds in which each server has its turn."""

import argparse
import os
import pathlib
import sys

import servers
import measure
import report
import scenarios

processes = servers.processes
docs = pathlib.Path(__file__).resolve().parent.parent / 'docs'
ONCE = ('memory',)  # does not vary


def parse():
    parser = argparse.ArgumentParser(prog='bench/run')
    parser.add_argument('-r', '--rounds', type=int, default=5)
    parser.add_argument('-s', '--seconds', type=int, default=3)
    parser.add_argument('-l', '--list', action='store_true')
    parser.add_argument('--write', action='store_true')
    parser.add_argument('words', nargs='*', metavar='SCENARIO')
    return parser.parse_args()


def measure_one(scenario, running, options):
    result = report.Result(scenario)
    for one in scenario.contestants:
        measure.check(running[one], scenario)
        if scenario.kind == 'load':
            measure.turn(running[one], scenario, 1)  # warm: opcache, kept connections, page cache
    rounds = 1 if scenario.name in ONCE else options.rounds
    for number in range(rounds):
        for one in scenario.contestants:
            servers.wait_until_quiet(0.2)
            figures = measure.turn(running[one], scenario, options.seconds)
            result.add(one, figures)
            report.print_round(number, rounds, one, figures)
    report.print_result(result)
    return result


def main():
    options = parse()
    chosen = scenarios.chosen(options.words)
    if options.list:
        print('\n'.join(f'{scenario.name:16}{scenario.title}' for scenario in chosen))
        return 0
    load = os.getloadavg()[0]
    with processes.scratch():
        folder = processes.new_folder('bench')
        scenarios.make_site(folder / 'site')
        running = {}
        for one in scenarios.contestants_of(chosen):
            running[one] = one(folder, folder / 'site').start()
        print(f'{len(chosen)} scenarios, {options.rounds} rounds of {options.seconds} s, {report.machine()}, load {load:.1f}', flush=True)
        results = []
        for scenario in chosen:
            print(f'{scenario.title} ({scenario.name})', flush=True)
            results.append(measure_one(scenario, running, options))
    if options.write:
        report.write_page(results, options, load, docs / 'performance.md')
        print(f'written: {docs}/performance.md and performance.svg')
    return report.tell_errors(results)


if __name__ == '__main__':
    sys.exit(main())
