"""Networks and layers that three or more labs share."""
