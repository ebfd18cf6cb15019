"""`python -m tests.simulator_process`: the simulator as the product ships it, with GitHub's description checked at its edge."""

from app.simulator.__main__ import main
from tests.github_contract import check

if __name__ == "__main__":
    main(check)
