"""Reports: an HTML page with music to listen to, and the scores, learning curves and recipes of models.

`piece` holds the music, `page` puts the sections together, and the folder `page/` holds the templates, styles
and scripts. A page is a single file without external resources: it opens from a disk, an email attachment or
a web server.
"""

from zoo.report.page import Report, report_bytes, write_report
from zoo.report.piece import ListeningPiece

__all__ = ["ListeningPiece", "Report", "report_bytes", "write_report"]
