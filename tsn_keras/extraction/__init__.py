"""The activity that makes frame and flow files of videos."""
