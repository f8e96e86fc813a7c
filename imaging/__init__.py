"""DICOM and other radiographs in. The only home of pydicom."""
