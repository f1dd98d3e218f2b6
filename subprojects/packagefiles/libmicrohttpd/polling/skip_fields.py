"""skip_fields.py FROM TO: libmicrohttpd's connection.c, with a step more where a request's fields are read, and another one for a reply's date.
Written for fcgate.

libmicrohttpd looks at each byte of a head by itself, and asks a dozen things. Of most bytes within a name or a value nothing comes of it: those
mhd_skip_name() and mhd_skip_value() pass over. The date is written by mhd_polling_write_date(). Where a place is not found, as in another release, all is
as it was.
"""
import pathlib
import re
import sys

hdr = r'c->rq\.hdrs\.hdr\.'
steps = (
    (rf"( *)(if \(':' == chr\)\n *{{\n *if \(0 == {hdr}ws_start\)\n *{hdr}name_len = p;\n)",
     r"\1if (':' != chr)\n\1  p = mhd_skip_name (c->read_buffer, p, c->read_buffer_offset);\n\1\2"),
    (rf'( *)(if \(0 == {hdr}value_start\)\n *{hdr}value_start = p;\n)',
     r'\1\2\1p = mhd_skip_value (c->read_buffer, p, c->read_buffer_offset);\n'),
    (r'get_date_str (\(header \+ 6\))', r'mhd_polling_write_date \1'),
)
source, target = map(pathlib.Path, sys.argv[1:])
text = source.read_text(encoding='utf-8')
for place, step in steps:
    changed, count = re.subn(place, step, text)
    if count == 1:
        text = changed
    else:
        print(f'{source.name}: a place was found {count} times, and is left as it is: {place}', file=sys.stderr)
target.write_text(text, encoding='utf-8')
