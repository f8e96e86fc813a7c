"""Learning and inference as code. The only home of torch, MONAI and MLflow. No weights live here."""
