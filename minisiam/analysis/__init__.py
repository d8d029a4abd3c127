"""What a loss does to a batch (`forces`, the X-ray), and what is wrong with a training run (`diagnosis`)."""
