"""Video files, webcams and JPEG images to arrays of pixels."""
