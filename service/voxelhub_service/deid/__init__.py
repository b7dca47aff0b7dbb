"""De-identification as a plain library: no database, no web framework, no settings. Source: DICOM PS3.15 Annex E."""
