"""The foundation of Fashionistar: events, tasks, money, errors and requests that happen once."""
