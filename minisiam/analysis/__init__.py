"""The forces of a loss on a batch (`forces`, the X-ray), and the problems of a training run (`diagnosis`)."""
