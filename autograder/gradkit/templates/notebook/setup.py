# Run this cell first: it finds the course's checks and figures. They look at what this notebook has defined.
import sys
import zipfile
from pathlib import Path


def _look_for(name):
    # here and up to two folders down, then where Colab and Kaggle put what you upload or mount
    places = [".", "/content", "/content/drive/MyDrive", "/kaggle/working", "/kaggle/input"]
    tries = ((Path(place).resolve(), down + name) for place in places for down in ("", "*/", "*/*/"))
    return (path for folder, pattern in tries for path in folder.glob(pattern))


if not next(_look_for("test_STEM.py"), None):  # perhaps course.zip is here, still packed
    for _packed in filter(zipfile.is_zipfile, _look_for("*.zip")):
        with zipfile.ZipFile(_packed) as _zip:
            if any(_name.endswith("/test_STEM.py") for _name in _zip.namelist()):
                _zip.extractall(members=[_name for _name in _zip.namelist() if not Path(_name).exists()])  # keeps your work
                print("Unpacked", _packed)
                break

if _checks := next(_look_for("test_STEM.py"), None):
    sys.path.append(str(_checks.parent.parent))  # coursekit lies there, unless it is beside this notebook or installed
    from coursekit.notebook import Notebook

    course = Notebook("MODULE", globals(), folder=_checks.parent)
else:
    print("The course's files are not here: upload course.zip beside this notebook, or mount the drive that has it.")
