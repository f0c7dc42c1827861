"""Load a trained row and classify new videos."""
