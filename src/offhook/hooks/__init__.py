"""What is said to customers and when, pure: requests, budgets, retries and the order of deliveries."""
