"""What the product needs from the services, as protocols."""
