"""The forces of a loss (`forces`, the X-ray), the problems of a run (`diagnosis`), and when it can stop (`plateau`)."""
