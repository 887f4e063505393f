"""Training the bat network of kinetics/motion on drawn batters: ``python -m kinetics.bat_training --out FILE --minutes M``.

sample.py draws one training sample out of backdrops.py, people.py, bats.py and lens.py; train.py learns from them; score.py measures.
"""
