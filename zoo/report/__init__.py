"""Reports: one page to hear what models write, and to read how they were made and measured.

`piece` is what plays, `page` puts the sections together, `page/` holds the templates, style and scripts. A
page is one file that fetches nothing: it opens from a disk, an attachment or a web server alike.
"""

from zoo.report.page import Report, write_report
from zoo.report.piece import Piece

__all__ = ["Piece", "Report", "write_report"]
