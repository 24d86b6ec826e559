import sys
from pathlib import Path

# small worlds and slow planners are modules of these tests
sys.path.insert(0, str(Path(__file__).parent))
