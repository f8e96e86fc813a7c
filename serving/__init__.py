"""The online platform: facade, gateway, services and worker. Knows neither datasets nor monitoring."""
