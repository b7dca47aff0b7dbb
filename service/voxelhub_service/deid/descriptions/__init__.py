"""What stays of the descriptions that slide scanners and microscopes write into TIFF files."""
