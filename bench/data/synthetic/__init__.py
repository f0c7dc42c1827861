"""The generated data sets of profile `mini`: moving shapes, their names and their text corpus."""
