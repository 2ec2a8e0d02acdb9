"""What the product asks of the services, as protocols."""
