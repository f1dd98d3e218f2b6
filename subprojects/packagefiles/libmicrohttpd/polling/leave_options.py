"""leave_options.py FROM TO OPTION...: libmicrohttpd's daemon.c that takes none of these options. Written for fcgate.

fcgate gives a dozen of the fifty there are; the others would be code for nothing on a small device. A daemon that is given one all the same does
not start. Where an option is not found, as in another release, all is as it was.
"""
import pathlib
import re
import sys

source, target, *options = sys.argv[1:]
text = pathlib.Path(source).read_text(encoding='utf-8')
for option in options:
    text, count = re.subn(rf'(?m)^(    case MHD_OPTION_{option}:\n)(?!    case)', r'\1      return MHD_NO;\n', text)
    if count != 1:
        print(f'{source}: MHD_OPTION_{option} was found {count} times, so all is left that takes it', file=sys.stderr)
pathlib.Path(target).write_text(text, encoding='utf-8')
